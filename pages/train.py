"""Training, watched: all λ at once, live."""

from pages.shared import figure, page_header, require, run_in_view

require()
run = run_in_view("Train")
page_header("Train", run.preset.look_for, numbers=[(figure(run.at_lam(run.result.ite_rmse)), "ITE RMSE")])

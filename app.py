"""CRL Explorer: `streamlit run app.py`. Navigation and sidebar are in `pages/shared/shell.py`."""

if __name__ == "__main__":  # a visitor's run of the script
    from pages.shared import shell, turns

    with turns.TURNS.turn():
        shell.main()
else:  # the server
    import streamlit as st
    from starlette.middleware import Middleware

    from pages.shared.delivery import Delivery

    app = st.App(__file__, middleware=[Middleware(Delivery)])

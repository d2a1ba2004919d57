"""CRL Explorer: `streamlit run app.py`. Navigation and sidebar are in `pages/shared/shell.py`."""

if __name__ == "__main__":
    from pages.shared import shell

    shell.main()

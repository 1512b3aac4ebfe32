"""The browser page, run by Streamlit."""

"""The Streamlit app over the published snapshot."""

"""The app: `streamlit run dashboards/app.py -- SNAPSHOTS`."""

import streamlit as st

st.set_page_config(page_title="Signals", page_icon="📈", layout="wide")
st.navigation(
    [
        st.Page(
            "app_pages/overview.py", title="Overview", icon=":material/insights:", default=True
        ),
        st.Page("app_pages/session.py", title="Session", icon=":material/timeline:"),
        st.Page("app_pages/tasks.py", title="Tasks", icon=":material/build:"),
    ],
    position="top",
).run()

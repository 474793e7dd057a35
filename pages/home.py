"""Home: what this is and where to go."""

import streamlit as st

st.title("IWAE Lab")
st.markdown("See, drag and train importance sampling and the Importance-Weighted Autoencoder.")

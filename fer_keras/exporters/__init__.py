"""Exports: one file per family of formats, each compared with Keras before it is kept; `fer_keras.formats` lists them."""

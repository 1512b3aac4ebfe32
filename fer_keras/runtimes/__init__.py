"""Engines that run a model file, one contract and one file per engine; `fer_keras.formats` lists them."""

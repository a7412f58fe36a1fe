"""The bundled notifications server: one store, one file a vendor, and a control API to feed it.

Each vendor's face lives under ``/NAME``, so a client uses it with a plain base URL such as
``http://127.0.0.1:9096/visual_layer`` and appends the vendor's own paths to it.
"""

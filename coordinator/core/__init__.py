"""The pure core: values in, values out; no clock, socket, file, thread or chance in here."""

-- Makes one compliance view anew when its file changed.
SELECT compliance.replace_view(%(name)s, %(definition)s, %(purpose)s)

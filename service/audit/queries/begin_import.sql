SELECT begin_import()

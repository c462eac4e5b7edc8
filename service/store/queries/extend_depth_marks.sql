SELECT extend_depth_marks()

SELECT histogram_bounds()

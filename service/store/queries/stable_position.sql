SELECT stable_position()

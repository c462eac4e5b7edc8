SELECT default_actor()

SELECT epoch FROM log_epoch

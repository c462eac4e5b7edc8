SELECT endpoint FROM webhook_endpoints WHERE status = 'paused' ORDER BY endpoint

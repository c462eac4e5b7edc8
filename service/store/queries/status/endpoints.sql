SELECT endpoint, status, reason FROM webhook_endpoints WHERE status <> 'active' ORDER BY endpoint

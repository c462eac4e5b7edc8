SELECT coalesce((SELECT n.status FROM webhook_endpoints n WHERE n.endpoint = $1), 'active')

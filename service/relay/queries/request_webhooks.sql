SELECT delivery_id, endpoint, outcome FROM request_webhooks($1, actor => 'relay', ring => false)

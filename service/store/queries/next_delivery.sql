SELECT greatest(extract(epoch FROM n.at - clock_timestamp()), 0)::double precision FROM next_delivery_at() AS n (at) WHERE n.at IS NOT NULL

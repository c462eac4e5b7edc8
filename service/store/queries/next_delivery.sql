SELECT greatest(extract(epoch FROM next_delivery_at() - clock_timestamp()), 0)::double precision

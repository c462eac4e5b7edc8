-- Exact at $1, a settled position near a depth mark.
SELECT queue, class, pending, running FROM queue_depth_at($1::bigint)

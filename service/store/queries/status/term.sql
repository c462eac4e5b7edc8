SELECT coalesce(max(term), 0) AS term FROM relay_lease

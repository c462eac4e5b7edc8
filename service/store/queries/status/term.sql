SELECT term FROM relay_lease

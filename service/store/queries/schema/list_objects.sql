-- What of the kinds that files make is in schema public now; what an extension brought is not ours.
SELECT i.type, i.identity
FROM (SELECT 'pg_proc'::regclass AS catalog, p.oid FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
      UNION ALL
      SELECT 'pg_class'::regclass, c.oid FROM pg_class c
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('v', 'm')
      UNION ALL
      SELECT 'pg_trigger'::regclass, t.oid FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
      WHERE c.relnamespace = 'public'::regnamespace AND NOT t.tgisinternal) o
CROSS JOIN LATERAL pg_identify_object(o.catalog, o.oid, 0) i
WHERE NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.classid = o.catalog AND d.objid = o.oid AND d.deptype = 'e')

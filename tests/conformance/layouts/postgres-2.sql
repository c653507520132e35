-- A schema of layout 2, as its first release wrote it. It never changes.
CREATE SCHEMA mastra_layout_1;
CREATE FUNCTION mastra_layout_1.mastra_sort(j jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
  SELECT CASE jsonb_typeof(j)
    WHEN 'string' THEN '2' || (j #>> '{}')
    WHEN 'number' THEN '1' || CASE WHEN (j::float8) >= 0
      THEN translate(substr(encode(float8send(j::float8), 'hex'), 1, 1), '01234567', '89abcdef')
        || substr(encode(float8send(j::float8), 'hex'), 2)
      ELSE translate(encode(float8send(j::float8), 'hex'), '0123456789abcdef', 'fedcba9876543210') END
    WHEN 'boolean' THEN CASE WHEN j::boolean THEN '1bff0000000000000' ELSE '18000000000000000' END
    ELSE '0' END
$$;
CREATE TABLE mastra_layout_1.m_events (
    tenant text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    exact json NOT NULL,
    value jsonb GENERATED ALWAYS AS ((exact)::jsonb) STORED,
    f_status text GENERATED ALWAYS AS (mastra_layout_1.mastra_sort(((exact)::jsonb -> 'status'::text))) STORED COLLATE pg_catalog."C",
    f_at text GENERATED ALWAYS AS (mastra_layout_1.mastra_sort(((exact)::jsonb -> 'at'::text))) STORED COLLATE pg_catalog."C"
);
CREATE TABLE mastra_layout_1.mastra_layout (
    version integer NOT NULL
);
CREATE TABLE mastra_layout_1.mastra_tables (
    name text NOT NULL,
    indexes text NOT NULL
);
INSERT INTO mastra_layout_1.m_events (tenant, key, exact) VALUES ('', 'e0', '{"status":"done","at":0,"text":"Grüße 🌍"}');
INSERT INTO mastra_layout_1.m_events (tenant, key, exact) VALUES ('', 'e1', '{"status":"new","at":1,"text":"Grüße 🌍"}');
INSERT INTO mastra_layout_1.m_events (tenant, key, exact) VALUES ('', 'e2', '{"status":"done","at":2,"text":"Grüße 🌍"}');
INSERT INTO mastra_layout_1.m_events (tenant, key, exact) VALUES ('', 'e3', '{"status":"new","at":3,"text":"Grüße 🌍"}');
INSERT INTO mastra_layout_1.m_events (tenant, key, exact) VALUES ('acme', 'e0', '{"status":"new","at":9}');
INSERT INTO mastra_layout_1.mastra_layout (version) VALUES (2);
INSERT INTO mastra_layout_1.mastra_tables (name, indexes) VALUES ('events', '["status","status+at"]');
ALTER TABLE ONLY mastra_layout_1.m_events
    ADD CONSTRAINT m_events_pkey PRIMARY KEY (tenant, key);
ALTER TABLE ONLY mastra_layout_1.mastra_tables
    ADD CONSTRAINT mastra_tables_pkey PRIMARY KEY (name);
CREATE INDEX m_events_tenant_f_status_f_at_key_idx ON mastra_layout_1.m_events USING btree (tenant, f_status, f_at, key);
CREATE INDEX m_events_tenant_f_status_key_idx ON mastra_layout_1.m_events USING btree (tenant, f_status, key);

-- A database of layout 1, as its first release wrote it. It never changes.
CREATE TABLE mastra_layout(version INTEGER PRIMARY KEY);
INSERT INTO mastra_layout VALUES(1);
CREATE TABLE mastra_tables(name TEXT PRIMARY KEY, indexes TEXT NOT NULL);
CREATE TABLE "m_events"(tenant TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, "f_status" AS (json_extract(value, '$."status"')) VIRTUAL, "f_at" AS (json_extract(value, '$."at"')) VIRTUAL, PRIMARY KEY(tenant, key));
CREATE INDEX "i_events__status" ON "m_events"(tenant, "f_status", key);
CREATE INDEX "i_events__status__at" ON "m_events"(tenant, "f_status", "f_at", key);
INSERT INTO "mastra_tables"(name,indexes) VALUES('events','["status","status+at"]');
INSERT INTO "m_events"(tenant,key,value) VALUES('','e0','{"status":"done","at":0,"text":"Grüße 🌍"}');
INSERT INTO "m_events"(tenant,key,value) VALUES('','e1','{"status":"new","at":1,"text":"Grüße 🌍"}');
INSERT INTO "m_events"(tenant,key,value) VALUES('','e2','{"status":"done","at":2,"text":"Grüße 🌍"}');
INSERT INTO "m_events"(tenant,key,value) VALUES('','e3','{"status":"new","at":3,"text":"Grüße 🌍"}');
INSERT INTO "m_events"(tenant,key,value) VALUES('acme','e0','{"status":"new","at":9}');

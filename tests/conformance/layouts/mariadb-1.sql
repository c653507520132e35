-- A database of layout 1, as its first release wrote it. It never changes.
CREATE TABLE `m_events` (
  `tenant` varbinary(260) NOT NULL,
  `k` varbinary(512) NOT NULL,
  `value` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `f_status` varbinary(800) NOT NULL,
  `f_at` varbinary(800) NOT NULL,
  PRIMARY KEY (`tenant`,`k`),
  KEY `tenant` (`tenant`,`f_status`,`k`),
  KEY `tenant_2` (`tenant`,`f_status`,`f_at`,`k`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci ROW_FORMAT=DYNAMIC;
INSERT INTO `m_events` VALUES ('',0x6530,'{"status":"done","at":0,"text":"Grüße 🌍"}',0x02646F6E65,0x018000000000000000);
INSERT INTO `m_events` VALUES ('',0x6531,'{"status":"new","at":1,"text":"Grüße 🌍"}',0x026E6577,0x01BFF0000000000000);
INSERT INTO `m_events` VALUES ('',0x6532,'{"status":"done","at":2,"text":"Grüße 🌍"}',0x02646F6E65,0x01C000000000000000);
INSERT INTO `m_events` VALUES ('',0x6533,'{"status":"new","at":3,"text":"Grüße 🌍"}',0x026E6577,0x01C008000000000000);
INSERT INTO `m_events` VALUES (0x61636D65,0x6530,'{"status":"new","at":9}',0x026E6577,0x01C022000000000000);
CREATE TABLE `mastra_layout` (
  `version` int(11) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `mastra_layout` VALUES (1);
CREATE TABLE `mastra_tables` (
  `name` varchar(64) NOT NULL,
  `indexes` text NOT NULL,
  PRIMARY KEY (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `mastra_tables` VALUES ('events','["status","status+at"]');

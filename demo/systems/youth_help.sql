-- The client system of the youth-help provider, as its vendor once made it: Dutch abbreviations,
-- dates as text, codes of one letter, and a new row for each course of help (so: two for one boy).
CREATE TABLE klant (
    klantnr TEXT PRIMARY KEY,
    sofinr TEXT,
    achternaam TEXT,
    roepnaam TEXT,
    gebdat TEXT
);
CREATE TABLE traject (
    trajnr INTEGER PRIMARY KEY,
    klantnr TEXT,
    begindat TEXT,
    eind_verw TEXT,
    prodcd TEXT,
    vormcd TEXT,
    statcd TEXT,
    kadercd TEXT,
    behandelaar TEXT,
    notitie TEXT,
    mutdat TEXT
);
INSERT INTO klant VALUES
    ('JH-2041', '999991152', 'Ferreira', 'Rui', '14-02-2013'),
    ('JH-2077', '999991218', 'Jansen', 'Sem', '03-09-2010'),
    ('JH-2078', '999991231', 'de Wit', 'Daan', '21-11-2010'),
    ('JH-2102', '999991243', 'Smit', 'Eva', '30-06-2012');
INSERT INTO traject VALUES
    (1, 'JH-2041', '01-03-2024', '01-09-2024', '45A', 'G', 'E', 'V', 'M. de Haan', 'afgerond', '02-09-2024'),
    (2, 'JH-2041', '12-01-2026', '12-07-2027', '45A', 'I', 'L', 'V', 'P. Vos', 'loopt goed', '20-01-2026'),
    (3, 'JH-2077', '05-05-2026', '05-05-2027', '50B', 'G', 'L', 'V', 'P. Vos', '', '06-05-2026'),
    (4, 'JH-2078', '09-03-2026', '09-03-2027', '50B', 'G', 'L', 'V', 'M. de Haan', '', '10-03-2026'),
    (5, 'JH-2102', '17-08-2026', '17-02-2027', '45A', 'I', 'L', 'V', 'K. Bos', 'zorgen', '18-08-2026');

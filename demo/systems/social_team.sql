-- The plan book of the social team: one line per goal and person, kept in the team's own words.
CREATE TABLE deelnemer (
    nr TEXT PRIMARY KEY,
    bsn TEXT,
    naam TEXT,
    geboren TEXT,
    sinds TEXT,
    vertrouwelijk TEXT
);
CREATE TABLE planregel (
    regel INTEGER PRIMARY KEY,
    nr TEXT,
    leefgebied TEXT,
    doel TEXT,
    cijfer_nu INTEGER,
    actie TEXT,
    wanneer TEXT,
    zorg TEXT,
    gewijzigd TEXT
);
INSERT INTO deelnemer VALUES
    ('W-310', '999991139', 'Yilmaz', '2015/04/17', '2026/09/01', 'N'),
    ('W-402', '999991188', 'Mertens', '2009/01/08', '2026/10/12', 'J');
INSERT INTO planregel VALUES
    (1, 'W-310', 'gezin', 'Thuis rustig kunnen leren', 4, 'Vaste tijd voor huiswerk', 'voor de kerst', 'slaapt slecht', '2026/11/16'),
    (2, 'W-402', 'school', 'Ik wil weer naar school kunnen', 3, 'Samen met school een rooster maken', 'binnen drie weken', 'ruzie thuis', '2026/10/20');

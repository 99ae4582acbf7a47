-- The file system of debt counselling: numbers as integers, money in cents, dates as eight digits,
-- states as codes of two letters. Runs on PostgreSQL where there is one.
CREATE TABLE sh_dossier (
    dossier_id integer PRIMARY KEY,
    burgerservicenr integer,
    naam varchar(60),
    geboren char(8),
    aanvraag char(8),
    fase_cd char(2),
    regeling_cd char(2),
    schuld_totaal_ct integer,
    schuldeisers varchar(200),
    consulent varchar(60)
);
INSERT INTO sh_dossier VALUES
    (70412, 999991164, 'FERREIRA', '19800611', '20260202', 'LP', 'SR', 1840000, 'Energie NV; Telecom BV', 'A. Bruins');

-- Right a second time: a container is started more than once.
SET client_min_messages = warning;
CREATE TABLE IF NOT EXISTS jobs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    one bigint NOT NULL,
    other bigint NOT NULL,
    answer bigint
);

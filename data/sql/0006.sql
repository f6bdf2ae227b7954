-- Redirections tell what was not passed on, since it would not have arrived.

ALTER TABLE target ADD COLUMN stayed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE target ADD COLUMN stayed_why TEXT;     -- of the last one

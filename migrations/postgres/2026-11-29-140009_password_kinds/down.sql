DROP INDEX users_kind_of_hash;

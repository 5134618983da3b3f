//! Aurora PostgreSQL, ElastiCache, Kinesis, Firehose, EFS and backups.

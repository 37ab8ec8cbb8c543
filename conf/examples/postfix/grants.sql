-- The user that Postfix's maps log in as: it reads addresses, and no password hashes.
CREATE USER IF NOT EXISTS 'postfix'@'localhost' IDENTIFIED BY 'change-me';
GRANT SELECT (id, username, homeserver, address_status) ON email.users TO 'postfix'@'localhost';
GRANT SELECT (id, hostname) ON email.servers TO 'postfix'@'localhost';
GRANT SELECT (domainname, domain_status) ON email.domains TO 'postfix'@'localhost';
GRANT SELECT ON email.aliases TO 'postfix'@'localhost';
GRANT SELECT ON email.forwards TO 'postfix'@'localhost';

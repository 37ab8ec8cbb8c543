"""MAPI over HTTP ([MS-OXCMAPIHTTP]): the common form of requests and answers, session contexts, the mailbox endpoint."""

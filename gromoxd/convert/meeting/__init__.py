"""What meeting messages do to calendars ([MS-OXOCAL] 3.1.4.7 to 3.1.4.9, 3.1.5): pure functions on Items.

All items of one call share one mailbox's property ids. `requests` puts requests and updates into the calendar of an
attendee, `cancelling` takes meetings out, `responses` makes responses and notes them in the calendar of the organizer,
`exceptions` changes occurrences of a series, `policy` decides for rooms and equipment.
"""

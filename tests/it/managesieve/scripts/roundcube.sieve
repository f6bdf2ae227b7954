require ["comparator-i;ascii-numeric","copy","date","envelope","fileinto","imap4flags","mailbox","regex","reject","relational","subaddress","vacation","variables"];
# rule:[Mailing lists]
if anyof (header :contains "list-id" "<rust.example.net>", header :regex "subject" "^\\[rust-[a-z]+\\]")
{
	fileinto "Archive";
	stop;
}
# rule:[Switched off]
if false # allof (header :contains "subject" "invoice", not header :contains "from" "@example.net")
{
	discard;
}
# rule:[Junk]
if allof (header :value "ge" :comparator "i;ascii-numeric" "X-Spam-Level" "7", not exists "X-Good")
{
	addflag "$Junk";
	fileinto "Junk";
	stop;
}
# rule:[Large]
if size :over 2M
{
	setflag ["\\Flagged","\\Seen"];
	fileinto :create "Large";
}
# rule:[Plus]
if anyof (envelope :detail :is "to" "shop", address :domain :is "from" ["shop.example.net","shop.example.com"])
{
	set :lower "folder" "Shop";
	fileinto :create "${folder}";
	stop;
}
# rule:[Holidays]
if allof (currentdate :zone "+0100" :value "ge" "date" "2020-12-24", currentdate :zone "+0100" :value "lt" "date" "2021-01-03", not header :contains "subject" "urgent")
{
	vacation :days 7 :addresses ["jane@example.org","info@example.org"] :subject "Away" text:
I am away and come back soon.
..with a line that begins with a dot
.
;
}
# rule:[Copy]
if header :is "x-copy" "please"
{
	redirect :copy "john@example.org";
	keep;
	stop;
}

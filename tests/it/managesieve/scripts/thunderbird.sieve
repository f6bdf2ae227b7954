require ["fileinto", "imap4flags", "reject", "vacation"];

#
# Written in the graphical editor, saved with its spacing.
#

if header :contains "List-Id"
  ["<rust.example.net>",
   "<go.example.net>"]
{
  fileinto "Archive";
  stop;
}

/* Two tests in one,
   and a block comment */
if anyof(
  header :is "Subject" "test",
  header :matches "X-Spam-Level" "7*")
{
  addflag "$Junk";
  fileinto "Junk";
}
elsif address :all :is "from" "news@shop.example.net"
{
  fileinto "shop";
}
elsif size :over 100M
{
  discard;
}
else
{
  keep;
}

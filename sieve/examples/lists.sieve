# Mail of each mailing list into a mailbox of its own, under "Lists".
#
# A list names itself in the header List-Id (RFC 2919): "Gardeners <gardeners.example.net>". What stands between "<" and
# the first dot becomes the mailbox's name, in small letters; ":create" makes it with the list's first message.

require ["fileinto", "mailbox", "variables"];

if header :matches "List-Id" "*<*.*>*" {
    set :lower "list" "${2}";
    fileinto :create "Lists/${list}";
    # Nothing below, and no script after this one, looks at mail of lists.
    stop;
}

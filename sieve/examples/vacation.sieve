# An automatic answer, written by hand. (The command "posthouse responder set" makes one without a script.)
#
# Each sender gets it once a week at most, and mailing lists, bounces and other automatic mail never do: the server sees to
# that by itself. The two dates are compared as text, the second day no longer counts.

require ["date", "relational", "vacation"];

if allof (
    currentdate :zone "+0100" :value "ge" "date" "2026-12-24",
    currentdate :zone "+0100" :value "lt" "date" "2027-01-07"
) {
    vacation :days 7
        # Other addresses of yours, if mail to them is to be answered too.
        :addresses ["jane@example.org", "j@example.org"]
        :subject "I am away until 7 January"
        text:
Hello,

I read no mail until 7 January. If it is urgent, please write to office@example.org.

Jane
.
;
}

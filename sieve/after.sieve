# Section 6 of every address's script: the administrators' last word. What is above the first "#=" makes this file whole
# by itself.
require ["include"];
#= none
# [6] after: no administrator's script comes last.
#
# What no script has filed, rejected or discarded goes to INBOX now (RFC 5228 section 2.10.2).
#= scripts
# [6] after: what the administrators of the domain and of the server want done last.
include :global :optional "after";

# What no script has filed, rejected or discarded goes to INBOX now (RFC 5228 section 2.10.2).

# mail: plain list
require ["vacation", "copy", "date", "relational"];
redirect :copy "office@example.com";
if allof (currentdate :zone "+0000" :value "ge" "iso8601" "2020-01-01T00:00:00",
          currentdate :zone "+0000" :value "lt" "iso8601" "2120-01-01T00:00:00") {
    vacation :days 1 :subject "On holiday" "Back soon.";
}

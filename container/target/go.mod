module volley.dev/target

go 1.24

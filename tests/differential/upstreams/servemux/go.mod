module servemux

go 1.24

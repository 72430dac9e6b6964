"""What the black-box tests share: real processes, clients on the wire, a scripted upstream."""

"""What a container image will hold: its Dockerfile, the folder that is sent to the build, what is left out of that."""

"""Where recordings and pictures come from: on-prem systems, a folder of files, an RTSP server."""

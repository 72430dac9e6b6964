"""What the product is compared with: a bare libh2o handler, and nginx in front of the same services."""

import os

from harness.processes import Process, free_port, tool

NGINX_CONF = """\
daemon off;
pid {folder}/nginx.pid;
error_log stderr warn;
{user}worker_processes {workers};
worker_rlimit_nofile 16384;
events {{
    worker_connections 8192;
    multi_accept on;
}}
http {{
    access_log off;
    server_tokens off;
    keepalive_timeout 75s;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/client_body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream auth {{
        server {auth};
        keepalive 1024;
        keepalive_requests 1000000000;
    }}
    upstream message {{
        server {message};
        keepalive 1024;
        keepalive_requests 1000000000;
    }}
    map $role $question {{
        admin   '{{"is_valid":true,"is_admin":true}}';
        default '{{"is_valid":true,"is_admin":false}}';
    }}
    proxy_http_version 1.1;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = /user/message {{
            auth_request /verify;
            auth_request_set $role $upstream_http_x_auth_role;
            proxy_method POST;
            proxy_pass_request_headers off;
            proxy_set_header Host message;
            proxy_set_header Connection "";
            proxy_set_header Content-Type application/json;
            proxy_set_body $question;
            proxy_pass http://message/get-message;
        }}
        location = /verify {{
            internal;
            proxy_pass_request_headers off;
            proxy_pass_request_body off;
            proxy_set_header Host auth;
            proxy_set_header Connection "";
            proxy_set_header Content-Length "";
            proxy_set_header Authorization $http_authorization;
            proxy_pass http://auth/verify;
        }}
    }}
}}
"""


class Bare(Process):
    """The bare libh2o handler, with as many loops as the gateway."""

    def __init__(self, folder, loops):
        self.port = free_port()
        super().__init__([tool("bare_handler"), str(self.port), str(loops)], {}, folder)
        self.wait_for_port(self.port)


class Nginx(Process):
    """nginx with as many workers as the gateway has loops."""

    def __init__(self, folder, workers, auth, message):
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        conf = folder / "nginx.conf"
        conf.write_text(NGINX_CONF.format(
            folder=folder, workers=workers, port=self.port, auth=auth, message=message,
            user="user root;\n" if os.geteuid() == 0 else ""), encoding="utf-8")
        super().__init__(["nginx", "-p", str(folder), "-c", str(conf), "-e", "stderr"], {}, folder)
        self.wait_for_port(self.port)

from locust import HttpUser, constant, task


class Visitor(HttpUser):
    host = "http://volley-target.default.svc"
    wait_time = constant(0.1)

    @task
    def home(self):
        self.client.get("/", name="home")

// Run by load-test-plan: home of JMeter, file.
import org.apache.jmeter.save.SaveService
import org.apache.jmeter.util.JMeterUtils

def (home, file) = args
JMeterUtils.setJMeterHome(home)
JMeterUtils.loadJMeterProperties("$home/bin/jmeter.properties")
JMeterUtils.initLocale()
try {
    SaveService.loadTree(new File(file))
} catch (Throwable problem) {
    println "volley-test-plan: ${problem.class.name}: ${problem.message}"
    System.exit(1)
}
System.exit(0)
